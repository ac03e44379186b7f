"""Figures of the department: what is counted, how, and which exams are behind each number."""
