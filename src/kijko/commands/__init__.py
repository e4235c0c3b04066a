"""What each command of `kijko` does. Imports stand inside the functions, so that `kijko --help` answers at once."""
