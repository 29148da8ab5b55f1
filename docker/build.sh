#!/bin/sh
# Builds the image, and prints the sum of what is copied in: docker/build.sh NAME:TAG [more arguments of docker build].
# DIGEST pins the base image; where it is not set, it is that of today.
set -eu
cd "$(dirname "$0")/.."
: "${PYTHON:=3.13-slim}"
: "${DIGEST:=$(docker buildx imagetools inspect "python:$PYTHON" --format '{{.Manifest.Digest}}')}"
name=$1
shift
docker build --progress plain --file docker/Dockerfile --tag "$name" \
    --build-arg "PYTHON=$PYTHON" --build-arg "DIGEST=$DIGEST" \
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" "$@" .
echo "$name is built on python:$PYTHON@$DIGEST"
