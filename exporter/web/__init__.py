"""How the exporter is served: TLS, logins, limits, the landing page, announcements, the text of a scrape."""
