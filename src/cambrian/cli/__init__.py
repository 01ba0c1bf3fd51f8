"""What people see: the command line (imports nothing by itself)."""
