"""What is measured: speed beside rivals, accuracy beside truth. Each script prints its table."""
