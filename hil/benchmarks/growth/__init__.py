"""What grows with the number of terminals, and with the number of readings in the journal."""
