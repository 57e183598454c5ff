"""What a terminal costs its link, its processor and its sampling: lives of the real one, and how others do it."""
