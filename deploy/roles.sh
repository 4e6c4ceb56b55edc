#!/bin/sh
# Runs once, on an empty database: one role owns the tables, the other only uses them.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" \
  --set owner_password="$OWNER_PASSWORD" --set app_password="$APP_PASSWORD" <<SQL
create role tracepipe_owner login password :'owner_password';
create role tracepipe_app login password :'app_password';
create database tracepipe owner tracepipe_owner;
SQL
