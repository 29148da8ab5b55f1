"""What each CI tells a step: the table engine in `reader`, and one table a CI."""
