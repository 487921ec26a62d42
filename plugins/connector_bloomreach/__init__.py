"""Bloomreach Engagement: campaign events into a project."""
