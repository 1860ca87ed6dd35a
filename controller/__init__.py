"""One controller a site: takes alerts, seals sessions, sends robots, answers people."""
