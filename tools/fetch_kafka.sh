#!/bin/sh
# Put the Kafka broker that tests start into a folder, in the version that tools/kafka pins: fetch_kafka.sh FOLDER
# Nothing is there until all is.
set -eu
folder=${1:?name a folder}
pom="$(dirname "$0")/kafka/pom.xml"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
rm -rf "$folder"/*
mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies "-DoutputDirectory=$folder/lib.part"
mv "$folder/lib.part" "$folder/lib"
