"""What tests are built from: tables, plain twins of kernels, and the simulator of a graphics card."""
