package settings

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// certificate writes a certificate for 127.0.0.1 that signs itself, and its key.
func certificate(t *testing.T) (certFile, keyFile string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", keyBytes)
}

func TestOptionsReachASecuredBroker(t *testing.T) {
	certFile, keyFile := certificate(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	passwordFile := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(passwordFile, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mechanism, name := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(name, "shop", "s3cret"),
				kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			k := Default().Kafka
			k.Brokers = cluster.ListenAddrs()
			k.TLS = TLS{Enabled: true, CAFile: certFile, CertFile: certFile, KeyFile: keyFile}
			k.SASL.Mechanism, k.SASL.PasswordFile = mechanism, passwordFile
			options, err := k.Options(func(string) (string, bool) { return "shop", true })
			if err != nil {
				t.Fatal(err)
			}
			client, err := kgo.NewClient(options...)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := client.Ping(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOptionsSayWhatIsMissing(t *testing.T) {
	nothing := func(string) (string, bool) { return "", false }
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Kafka){
		"kafka.sasl user: environment variable TRIBUTARY_KAFKA_USER is not set\nkafka.sasl password: environment variable TRIBUTARY_KAFKA_PASSWORD is not set": func(k *Kafka) {
			k.SASL.Mechanism = "plain"
		},
		"kafka.sasl user: environment variable TRIBUTARY_KAFKA_USER is not set\nkafka.sasl password: file " + empty + " is empty": func(k *Kafka) {
			k.SASL.Mechanism, k.SASL.PasswordFile = "plain", empty
		},
		"kafka.tls.ca_file: open none.pem: no such file or directory":  func(k *Kafka) { k.TLS = TLS{Enabled: true, CAFile: "none.pem"} },
		"kafka.tls.ca_file: " + empty + ": no certificate in PEM form": func(k *Kafka) { k.TLS = TLS{Enabled: true, CAFile: empty} },
		"kafka.tls.cert_file and key_file: open none.pem: no such file or directory": func(k *Kafka) {
			k.TLS = TLS{Enabled: true, CertFile: "none.pem", KeyFile: "none.pem"}
		},
	} {
		k := Default().Kafka
		change(&k)
		if _, err := k.Options(nothing); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	if options, err := Default().Kafka.Options(nothing); err != nil || len(options) != 1 {
		t.Errorf("defaults give %d options and %v", len(options), err)
	}
}

func TestLocalFilesOfSecretsAreNotRepeated(t *testing.T) {
	_, err := readSecret("password", "/none/"+strings.Repeat("x", 10), "", nil)
	if err == nil || !strings.Contains(err.Error(), "password: open /none/") {
		t.Error(err)
	}
}
