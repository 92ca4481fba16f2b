"""Questions and answers between our own processes, over HTTP: whether they live, what they count, what they know."""
