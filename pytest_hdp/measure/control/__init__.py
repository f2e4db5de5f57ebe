"""The control: what tells of the path itself, in the rounds in which the trains are sent."""
