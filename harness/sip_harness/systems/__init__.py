"""Systems under test: started by us and kept, or already there."""
