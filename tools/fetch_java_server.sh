#!/bin/sh
# Put a server in Java that tests start into a folder, in the version that a pom.xml pins: fetch_java_server.sh POM FOLDER
# What is in Java beside the pom.xml is compiled, by a compiler that the pom.xml names: a Java without one is enough.
# Nothing is there until all is.
set -eu
pom=${1:?name a pom.xml}
folder=${2:?name a folder}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
rm -rf "$folder"/*
# Two Mavens at once may spoil what both of them fetch.
exec 9<"$0"
flock 9
mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies "-DoutputDirectory=$folder/lib.part"
sources=$(find "$(dirname "$pom")" -name '*.java')
if [ -n "$sources" ]; then
    # In a jar, as classes in folders cannot be archived with their state.
    # shellcheck disable=SC2086 # a list of files
    java -cp "$folder/lib.part/*" org.eclipse.jdt.internal.compiler.batch.Main -17 -nowarn \
        -cp "$(find "$folder/lib.part" -name '*.jar' | tr '\n' ':')" -d "$folder/classes" $sources
    (cd "$folder/classes" && python3 -m zipfile -c "$folder/lib.part/own.jar" ./*)
fi
mv "$folder/lib.part" "$folder/lib"
