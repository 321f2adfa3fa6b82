"""Training of the network that tells vessels at piers apart; see README.md."""
