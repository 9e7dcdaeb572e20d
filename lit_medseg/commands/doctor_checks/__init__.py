"""What `doctor` looks at: one subject a file, standard library only, so that it works when nothing else imports."""
