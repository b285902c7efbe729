"""Makes tests/data/pyjwt.json: tokens as PyJWT and SimpleJWT write them, good until the year 2100.

    pip install 'PyJWT[crypto]==2.15.1' && python make_pyjwt.py > pyjwt.json
"""
import json
import pathlib
import jwt

KEYS = pathlib.Path(__file__).parent / "../../crates/auth-crypto/tests/vectors/keys"
SECRET = "a-signing-key-for-tests-0123456789-abcdefghij"  # tests/src/server.rs
RSA = (KEYS / "rsa2048.pem").read_text()
END = 4102444800  # 2100-01-01

def tokens(algorithm, key):
    def token(kind, number, **changes):
        jti = f"{number:012x}4{0:03x}8{int(algorithm[2:]):015x}"
        claims = {"token_type": kind, "exp": END, "iat": 1767225600, "jti": jti, "user_id": "1", "email": "old@example.com", "role": "user"}
        claims.update(changes)
        return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm)
    return {
        "access": token("access", 1),
        "access_user_id_number": token("access", 2, user_id=1),
        "access_without_iat": token("access", 3, iat=None),
        "access_float_exp": token("access", 4, exp=END + 0.5),
        "refresh": token("refresh", 5),
        "refresh_custom": token("refresh", 6, tenant={"name": "Ren\u00e9e"}),
    }

print(json.dumps({"made_with": f"PyJWT {jwt.__version__}", "HS256": tokens("HS256", SECRET), "RS256": tokens("RS256", RSA)}, indent=1))
