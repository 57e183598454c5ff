"""A platform of HJ 212 that is fast enough to measure a sink with: it answers, and counts; it judges nothing."""
