"""A project that changes -> what each group of proxies is given, and an API that tells of it: the control plane."""
