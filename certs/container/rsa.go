package container

import (
	"crypto/rsa"
	"errors"
	"math/big"
)

// rsaKey makes a key of the numbers that formats give one by one, and checks that they
// fit together. Preconditions: checkPublic(public) is nil.
func rsaKey(public *rsa.PublicKey, d, p, q *big.Int) (*rsa.PrivateKey, error) {
	// Before any arithmetic, so that wrong sizes cost no time.
	if n := public.N.BitLen(); d.BitLen() > n || p.BitLen() > n || q.BitLen() > n || p.Sign() == 0 || q.Sign() == 0 {
		return nil, errors.New("its numbers have the wrong sizes")
	}
	private := &rsa.PrivateKey{PublicKey: *public, D: d, Primes: []*big.Int{p, q}}
	if err := private.Validate(); err != nil {
		return nil, err
	}
	private.Precompute()
	return private, nil
}
