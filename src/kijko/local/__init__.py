"""The local stack: starts, watches and stops every part of Kijko on one machine, without containers or root."""
