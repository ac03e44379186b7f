"""Signing in, one's own account, and other people's accounts, as our own HTTP API. Included by app/site.py."""

from fastapi import APIRouter

from filmless.access.api import audit, emergencies, own, provider, session, users
from filmless.access.api.words import PROBLEMS

router = APIRouter(responses=PROBLEMS)
for part in (session, provider, own, users, audit, emergencies):
    router.include_router(part.router)
