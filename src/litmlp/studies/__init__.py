"""What several fits, or one looked at in detail, show: the parts of compare and of test's charts."""
