"""request -> verdict, traced."""
