"""How the technician's laptop reaches the meters of a bus, and what it finds there. It cannot write."""
