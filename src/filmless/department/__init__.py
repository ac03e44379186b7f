"""The department's day: orders, registration, exams and their states, the worklist, performed procedure steps."""
