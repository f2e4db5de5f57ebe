"""When is what sent: rounds, batches, and questions at a target's own pace."""
