"""`make mesh` under load: each part ends, hangs or changes, and nothing is lost, let through or taken back."""
