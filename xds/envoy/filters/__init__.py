"""The HTTP filters, one a file, in the order in which a request meets them: context, trace, jwt, crit, companion, router."""
