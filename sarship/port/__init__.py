"""A port: its piers, its index, its fixed metric grid and the stack of its dates."""
