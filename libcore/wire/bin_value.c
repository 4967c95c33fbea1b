#include "wire/bin_value.h"

#include <math.h>

static const double powers[BIN_MAX_SCALE + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

double bin_value_real(const bin_value *v)
{
    return v->type == BIN_REAL ? v->d : (double)v->i / powers[v->n];
}

/* Digits of 31 bits take at most five bytes, seven with what is around them; the real itself takes
 * nine. The division is exact enough to give the very double back (both operands are exact), so
 * whether it does decides. */
bin_value bin_shortest_real(double v)
{
    for (int scale = 0; scale < 10; scale++) {
        double digits = rint(v * powers[scale]);
        if (!(fabs(digits) < 2147483648.0))
            break;
        if (digits / powers[scale] == v && (v != 0 || !signbit(v)))
            return (bin_value){.type = BIN_DECIMAL, .n = (size_t)scale, .i = (int64_t)digits};
    }
    return (bin_value){.type = BIN_REAL, .d = v};
}

void bin_put_value(buf *out, const bin_value *v)
{
    bc_put_uint(out, v->type);
    switch (v->type) {
    case BIN_INTEGER:
        bc_put_int(out, v->i);
        break;
    case BIN_REAL:
        bc_put_real(out, v->d);
        break;
    case BIN_TEXT:
        bc_put_str(out, v->p, v->n);
        break;
    case BIN_BLOB:
        bc_put_bytes(out, v->p, v->n);
        break;
    case BIN_DECIMAL:
        bc_put_int(out, v->i);
        bc_put_u8(out, (uint8_t)v->n);
        break;
    case BIN_NULL:
    case BIN_VALUE_TYPES:
        break;
    }
}

bin_value bin_get_value(bc_reader *r)
{
    bin_value v = {.type = (bin_value_type)bc_get_variant(r, BIN_VALUE_TYPES)};
    switch (v.type) {
    case BIN_INTEGER:
        v.i = bc_get_int(r);
        break;
    case BIN_REAL:
        v.d = bc_get_real(r);
        break;
    case BIN_TEXT:
        v.p = bc_get_str(r, &v.n);
        break;
    case BIN_BLOB:
        v.p = bc_get_bytes(r, &v.n);
        break;
    case BIN_DECIMAL:
        v.i = bc_get_int(r);
        if (bc_left(r) && *r->p > BIN_MAX_SCALE)
            bc_fail(r, "the scale is above 22");
        v.n = bc_get_u8(r);
        break;
    case BIN_NULL:
    case BIN_VALUE_TYPES:
        break;
    }
    return v;
}
