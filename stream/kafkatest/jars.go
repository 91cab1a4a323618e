package kafkatest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tributary</groupId><artifactId>kafkatest</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%s</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

// jars is the folder with Apache Kafka's jars, in the user's cache folder. If it isn't there yet, Maven brings it:
// some 46 files in about ten seconds. Two processes may do so at once: each fills a folder of its own, and the first to
// rename it wins.
func jars() (string, error) {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", unavailable{fmt.Sprintf("the jvm engine needs %s on the PATH (java 17 or newer, and mvn)", tool)}
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "tributary", "kafka-"+kafkaVersion())
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(home), "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	file := filepath.Join(fresh, "pom.xml")
	if err := os.WriteFile(file, fmt.Appendf(nil, pom, kafkaVersion()), 0o644); err != nil {
		return "", err
	}
	lib := filepath.Join(fresh, "lib")
	said, err := exec.Command("mvn", "-q", "-B", "-f", file,
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+lib).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mvn copy-dependencies of kafka %s: %w\n%s", kafkaVersion(), err, said)
	}
	if err := os.Rename(lib, home); err != nil {
		if _, there := os.Stat(home); there != nil {
			return "", err
		}
	}
	return home, nil
}
