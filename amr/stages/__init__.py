"""What the tasks of each stage are called with: all look alike to the loop that runs them."""
