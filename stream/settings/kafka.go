package settings

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Client is what a Kafka client needs to reach a cluster, for whoever passes it on and knows nothing of the client.
type Client = []kgo.Opt

// Options are what a Kafka client needs to reach and enter the cluster: seed brokers, TLS and SASL. It reads the files and
// variables that the settings name; errors say which, and nothing of what is in them.
func (k Kafka) Options(env Environment) (Client, error) {
	options := []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}
	if k.TLS.Enabled {
		config, err := k.TLS.Config()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	if k.SASL.Mechanism != "" {
		mechanism, err := k.SASL.mechanism(env)
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.SASL(mechanism))
	}
	return options, nil
}

// Config reads the certificates. The client fills in the server's name from the address it dials.
func (t TLS) Config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca_file: %s: no certificate in PEM form", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert_file and key_file: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (s SASL) mechanism(env Environment) (sasl.Mechanism, error) {
	user, userErr := readSecret("kafka.sasl user", s.UserFile, s.UserEnv, env)
	password, passwordErr := readSecret("kafka.sasl password", s.PasswordFile, s.PasswordEnv, env)
	if err := errors.Join(userErr, passwordErr); err != nil {
		return nil, err
	}
	switch s.Mechanism {
	case "plain":
		return plain.Auth{User: user.Reveal(), Pass: password.Reveal()}.AsMechanism(), nil
	case "scram-sha-256":
		return scram.Auth{User: user.Reveal(), Pass: password.Reveal()}.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return scram.Auth{User: user.Reveal(), Pass: password.Reveal()}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("kafka.sasl.mechanism: %q is not known", s.Mechanism)
}
