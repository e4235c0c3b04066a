"""Speed, as ratios between Kijko and a baseline measured in the same run. `make bench` prints the table."""
