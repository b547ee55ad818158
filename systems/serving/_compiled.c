/* `usual` of `pixels.py`, compiled: reads the usual form of a request's body without an object for each number. Whatever is not
   of that form is left to the JSON decoder, so that there is one that decides what is wrong with it. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { PIXELS = 64, BRIGHTEST = 16, MOST_DIGITS = 15 }; /* whole numbers of 15 digits are exact in a double */

static const double TENS[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static int is_digit(const char *at, const char *end) { return at < end && *at >= '0' && *at <= '9'; }

/* A number such as 0, 7.0 or 12.25. Its digits and the power of ten are both exact, so their quotient is the double nearest to the
   number (Clinger, "How to Read Floating Point Numbers Accurately", PLDI 1990). Returns its end, NULL for any other form. */
static const char *number(const char *at, const char *end, double *value)
{
    if (!is_digit(at, end))
        return NULL;
    uint64_t digits = (uint64_t)(*at++ - '0');
    int count = 1, decimals = 0;
    if (digits && is_digit(at, end)) { /* JSON has no leading zeros */
        digits = digits * 10 + (uint64_t)(*at++ - '0');
        count++;
    }
    if (at < end && *at == '.') {
        at++;
        if (!is_digit(at, end))
            return NULL;
        for (; is_digit(at, end); at++, decimals++) {
            if (count++ == MOST_DIGITS)
                return NULL;
            digits = digits * 10 + (uint64_t)(*at - '0');
        }
    }
    *value = decimals ? (double)digits / TENS[decimals] : (double)digits;
    return *value <= BRIGHTEST ? at : NULL;
}

static const char *skip(const char *at, const char *end, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(end - at) < size || memcmp(at, text, size) != 0)
        return NULL;
    at += size;
    return at < end && *at == ' ' ? at + 1 : at; /* as Python's json writes it */
}

static PyObject *usual(PyObject *module, PyObject *body)
{
    (void)module;
    if (!PyBytes_Check(body))
        return PyErr_Format(PyExc_TypeError, "a body is bytes");
    const char *at = PyBytes_AS_STRING(body), *end = at + PyBytes_GET_SIZE(body);
    double row[PIXELS];
    at = skip(at, end, "{\"pixels\":");
    at = at ? skip(at, end, "[") : NULL;
    for (int pixel = 0; at && pixel < PIXELS; pixel++) {
        at = number(at, end, &row[pixel]);
        if (at && pixel < PIXELS - 1)
            at = skip(at, end, ",");
    }
    if (!at || end - at != 2 || memcmp(at, "]}", 2) != 0)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)row, sizeof row);
}

static PyMethodDef methods[] = {
    {"usual", usual, METH_O, "See pixels.py."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_compiled", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__compiled(void) { return PyModule_Create(&definition); }
