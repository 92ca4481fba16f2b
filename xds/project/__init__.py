"""A project's folder -> what it compiles to, over and over; what was served last is kept while a change cannot be."""
