#!/bin/sh
# Build the image and print the size of what is installed: docker/build.sh NAME:TAG [options of docker build].
# DIGEST pins the base image; the default is the tag's digest of today.
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
