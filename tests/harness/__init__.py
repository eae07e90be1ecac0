"""What the end-to-end tests, the demo and the benchmark share: real servers, the firn binary, independent readers."""
