export default function StudyList() { return null }
