"""What a process reports about itself: logs, traces, metrics. Questions and answers are in none of them."""
