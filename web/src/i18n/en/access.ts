export const access = {
  signIn: {
    title: 'Sign in',
    name: 'Account name',
    password: 'Password',
    code: 'Code from your second factor',
    codeHelp: 'Six digits from your authenticator, or a recovery code.',
    submit: 'Sign in',
    oidc: 'Sign in with {{name}}',
    wrong: 'The account name or the password is wrong.',
    locked: 'This account is locked for a while after too many wrong passwords.',
    tooMany: 'Too many attempts. Wait a moment and try again.',
    again: 'Your session has ended. Sign in to go on.',
  },
  password: {
    title: 'Change password',
    first: 'Choose a password of your own before you go on.',
    current: 'Current password',
    new: 'New password',
    repeat: 'New password again',
    differ: 'The two are not the same.',
    changed: 'Your password is changed.',
  },
} as const
