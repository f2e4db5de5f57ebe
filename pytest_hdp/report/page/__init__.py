"""`report.html`: one page that opens anywhere, asks nothing of any network, and shows a run to a stranger."""
