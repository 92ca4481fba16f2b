"""The HTTP filters, one a file, in the order in which a request meets them: context, jwt, crit, companion, router."""
