"""The command line: reads arguments, calls the app, turns errors into exit statuses. No logic of its own."""
