"""What begins runs of workflows by itself: schedules, and messages of Kafka."""
