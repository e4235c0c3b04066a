"""The mail catcher: takes every mail that Kijko and Keycloak send on this machine and shows it; nothing leaves."""
