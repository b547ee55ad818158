"""What the pytest plugin `pytest_drills` makes of drill files once it has found one."""
