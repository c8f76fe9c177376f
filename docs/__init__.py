"""Documentation, and the script that keeps its tables as the code is."""
