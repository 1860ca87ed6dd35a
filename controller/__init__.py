"""One controller a site: takes alerts, seals sessions, sends robots, and answers people's questions."""
